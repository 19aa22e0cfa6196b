// A shell for SQLite's amalgamation: SQL on standard input, rows on standard output. sqlite DATABASE < SQL
#include "sqlite3.h"
#include <stdio.h>
#include <stdlib.h>

static int row(void *arg, int columns, char **values, char **names) {
  for (int i = 0; i < columns; i++) printf("%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
  putchar('\n');
  return 0;
}

int main(int argc, char **argv) {
  sqlite3 *db;
  char *line = NULL, *why = NULL;
  size_t room = 0;
  int failed = 0;
  if (argc != 2 || sqlite3_open(argv[1], &db) != SQLITE_OK) return 2;
  while (getdelim(&line, &room, ';', stdin) > 0)
    if (sqlite3_exec(db, line, row, NULL, &why) != SQLITE_OK) {
      fprintf(stderr, "error: %s\n", why);
      sqlite3_free(why);
      failed = 1;
    }
  free(line);
  return sqlite3_close(db) == SQLITE_OK ? failed : 3;
}
