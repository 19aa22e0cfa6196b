// The two seccomp filters of a guest process; see filter.c.
#pragma once
#include <linux/filter.h>

#define FILTER_MAX 512

// Fills `code` (FILTER_MAX instructions) and returns how many it used.
unsigned approval_filter(struct sock_filter *code);
unsigned guest_filter(struct sock_filter *code, unsigned long text_end);
