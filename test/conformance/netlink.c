// Interfaces as programs ask for them: rtnetlink dumps, getifaddrs, SIOCGIF*. Only lo is printed: a host may have others; ::1 where the host has it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

// Prints the call as written, its result, and errno's name.
#define R(call) \
  do { \
    errno = 0; \
    long result = (long)(call); \
    printf("%s = %ld%s%s\n", #call, result, result < 0 ? " " : "", result < 0 ? strerrorname_np(errno) : ""); \
  } while (0)

static char b[70000];
static int s, t;
static socklen_t len;
static struct sockaddr_nl nl;

static int ask(int type, int flags, int index) {
  struct {
    struct nlmsghdr h;
    struct ifinfomsg i;
  } q = {{sizeof q, type, NLM_F_REQUEST | flags, 7, 0}, {AF_UNSPEC}};
  q.i.ifi_index = index;
  struct sockaddr_nl kernel = {AF_NETLINK};
  return sendto(s, &q, sizeof q, 0, (void *)&kernel, sizeof kernel);
}
static void attributes(struct rtattr *a, int bytes, int address) {
  for (; RTA_OK(a, bytes); a = RTA_NEXT(a, bytes)) {
    unsigned char *d = RTA_DATA(a);
    if (!address && a->rta_type == IFLA_IFNAME) printf(" name %s", (char *)d);
    if (!address && a->rta_type == IFLA_MTU) printf(" mtu %u", *(unsigned *)d);
    if (!address && a->rta_type == IFLA_ADDRESS) printf(" hardware %d bytes %02x", (int)RTA_PAYLOAD(a), d[5]);
    if (address && (a->rta_type == IFA_ADDRESS || a->rta_type == IFA_LOCAL))
      printf(" %s of %d bytes ending in %d", a->rta_type == IFA_LOCAL ? "local" : "address", (int)RTA_PAYLOAD(a), d[RTA_PAYLOAD(a) - 1]);
    if (address && a->rta_type == IFA_LABEL) printf(" label %s", (char *)d);
  }
  printf("\n");
}
/** Everything up to the end of the answer, lo's part printed. */
static void answer(void) {
  for (;;) {
    struct iovec one = {b, sizeof b};
    struct msghdr m = {.msg_iov = &one, .msg_iovlen = 1, .msg_name = &nl, .msg_namelen = sizeof nl};
    int n = recvmsg(s, &m, 0);
    if (n < 0) {
      printf("recvmsg %s\n", strerrorname_np(errno));
      return;
    }
    for (struct nlmsghdr *h = (void *)b; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
      struct ifinfomsg *i = NLMSG_DATA(h);
      struct ifaddrmsg *a = NLMSG_DATA(h);
      if (h->nlmsg_type == NLMSG_DONE) {
        printf("done multi %d seq %u mine %d from %u\n", !!(h->nlmsg_flags & NLM_F_MULTI), h->nlmsg_seq, h->nlmsg_pid == getpid(), nl.nl_pid);
        return;
      } else if (h->nlmsg_type == NLMSG_ERROR) {
        struct nlmsgerr *e = NLMSG_DATA(h);
        printf("error %d (%s) of type %d\n", e->error, e->error ? strerrorname_np(-e->error) : "", e->msg.nlmsg_type);
        return;
      } else if (h->nlmsg_type == RTM_NEWLINK && i->ifi_index == 1) {
        printf("link type %d flags %#x", i->ifi_type, i->ifi_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
        attributes(IFLA_RTA(i), h->nlmsg_len - NLMSG_LENGTH(sizeof *i), 0);
        if (!(h->nlmsg_flags & NLM_F_MULTI)) return;
      } else if (h->nlmsg_type == RTM_NEWADDR && a->ifa_index == 1 && (a->ifa_prefixlen == 8 || (a->ifa_prefixlen == 128 && getenv("IPV6")))) {
        printf("address family %d prefix %d flags %#x scope %d", a->ifa_family, a->ifa_prefixlen, a->ifa_flags, a->ifa_scope);
        attributes(IFA_RTA(a), h->nlmsg_len - NLMSG_LENGTH(sizeof *a), 1);
      }
    }
  }
}

static void netlink(void) {
  R(socket(AF_NETLINK, SOCK_STREAM, 0));
  R(socket(AF_NETLINK, SOCK_RAW, 99));
  R(s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  R(listen(s, 1));
  R(accept(s, 0, 0));
  R(shutdown(s, 2));
  nl.nl_family = AF_NETLINK;
  R(bind(s, (void *)&nl, 4));
  nl.nl_family = AF_INET;
  R(bind(s, (void *)&nl, sizeof nl));
  nl.nl_family = AF_NETLINK;
  R(bind(s, (void *)&nl, sizeof nl));
  len = sizeof nl;
  R(getsockname(s, (void *)&nl, &len));
  printf("family %d mine %d groups %u len %u\n", nl.nl_family, nl.nl_pid == getpid(), nl.nl_groups, len);
  t = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
  memset(&nl, 0, sizeof nl);
  nl.nl_family = AF_NETLINK;
  nl.nl_pid = getpid();
  R(bind(t, (void *)&nl, sizeof nl));
  nl.nl_pid = 0;
  R(bind(t, (void *)&nl, sizeof nl));
  len = sizeof nl;
  getsockname(t, (void *)&nl, &len);
  printf("another %d\n", nl.nl_pid != getpid());
  struct pollfd p = {s, POLLIN | POLLOUT, 0};
  R(poll(&p, 1, 0));
  printf("%#x\n", p.revents);
  R(recv(s, b, 10, MSG_DONTWAIT));
  R(ask(RTM_GETLINK, NLM_F_DUMP, 0));
  R(poll(&p, 1, 5000));
  printf("%#x\n", p.revents);
  R(recv(s, b, 0, MSG_PEEK | MSG_TRUNC) > 100);
  answer();
  R(ask(RTM_GETADDR, NLM_F_DUMP, 0));
  answer();
  R(ask(RTM_GETLINK, 0, 1));
  answer();
  R(ask(RTM_GETLINK, 0, 9999));
  answer();
  R(ask(RTM_GETROUTE, NLM_F_DUMP, 0));
  answer();
  R(ask(NLMSG_NOOP, NLM_F_ACK, 0));
  answer();
  close(s);
  close(t);
}

static void library(void) {
  struct ifaddrs *all, *a;
  R(getifaddrs(&all));
  for (a = all; a; a = a->ifa_next) {
    if (strcmp(a->ifa_name, "lo") || !a->ifa_addr) continue;
    char text[100] = "", mask[100] = "";
    int family = a->ifa_addr->sa_family;
    void *host = family == AF_INET ? (void *)&((struct sockaddr_in *)a->ifa_addr)->sin_addr : (void *)&((struct sockaddr_in6 *)a->ifa_addr)->sin6_addr;
    void *bits = family == AF_INET ? (void *)&((struct sockaddr_in *)a->ifa_netmask)->sin_addr : (void *)&((struct sockaddr_in6 *)a->ifa_netmask)->sin6_addr;
    if (family == AF_INET || family == AF_INET6) {
      inet_ntop(family, host, text, sizeof text);
      inet_ntop(family, bits, mask, sizeof mask);
      if (strcmp(text, "127.0.0.1") && (strcmp(text, "::1") || !getenv("IPV6"))) continue;
    }
    printf("%s family %d %s %s flags %#x\n", a->ifa_name, family, text, mask, a->ifa_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
  }
  freeifaddrs(all);
  R(if_nametoindex("lo"));
  R(if_nametoindex("nosuch"));
  printf("%s\n", if_indextoname(1, b));
}

static void requests(int family) {
  struct ifreq q;
  struct sockaddr_in *in = (void *)&q.ifr_addr;
  R(s = socket(family, SOCK_DGRAM, 0));
  memset(&q, 0, sizeof q);
  strcpy(q.ifr_name, "lo");
  R(ioctl(s, SIOCGIFINDEX, &q));
  R(q.ifr_ifindex);
  R(ioctl(s, SIOCGIFFLAGS, &q));
  printf("%#x\n", q.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
  R(ioctl(s, SIOCGIFMTU, &q));
  R(q.ifr_mtu);
  R(ioctl(s, SIOCGIFHWADDR, &q));
  R(q.ifr_hwaddr.sa_family);
  R(ioctl(s, SIOCGIFTXQLEN, &q));
  R(q.ifr_qlen);
  if (family == AF_INET) {
    R(ioctl(s, SIOCGIFADDR, &q));
    printf("%s\n", inet_ntoa(in->sin_addr));
    R(ioctl(s, SIOCGIFNETMASK, &q));
    printf("%s\n", inet_ntoa(in->sin_addr));
    char room[4000];
    struct ifconf c = {sizeof room, {room}};
    R(ioctl(s, SIOCGIFCONF, &c));
    for (struct ifreq *one = c.ifc_req; (char *)one < room + c.ifc_len; one++)
      if (!strcmp(one->ifr_name, "lo")) printf("%s %s\n", one->ifr_name, inet_ntoa(((struct sockaddr_in *)&one->ifr_addr)->sin_addr));
    int whole = c.ifc_len;
    c.ifc_len = 0;
    c.ifc_buf = 0;
    R(ioctl(s, SIOCGIFCONF, &c));
    R(c.ifc_len == whole);
    c.ifc_len = 39;
    c.ifc_buf = room;
    R(ioctl(s, SIOCGIFCONF, &c));
    R(c.ifc_len);
  }
  q.ifr_ifindex = 1;
  R(ioctl(s, SIOCGIFNAME, &q));
  printf("%s\n", q.ifr_name);
  q.ifr_ifindex = 9999;
  R(ioctl(s, SIOCGIFNAME, &q));
  strcpy(q.ifr_name, "nosuch");
  R(ioctl(s, SIOCGIFFLAGS, &q));
  R(ioctl(s, SIOCGIFINDEX, &q));
  R(ioctl(s, SIOCGIFFLAGS, 0));
  close(s);
}

int main(void) {
  netlink();
  library();
  requests(AF_INET);
  requests(AF_INET6);
  requests(AF_UNIX);
  return 0;
}
