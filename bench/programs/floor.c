/* The floor: write(2) in a loop, without JavaScript. It answers as measured.mjs does. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

int main(void) {
  static const char text[] = "Hello world from interrupt!\n";
  int fd = open("/dev/null", O_WRONLY);
  size_t size;
  long calls;
  puts("ready");
  fflush(stdout);
  while (scanf("%zu %ld", &size, &calls) == 2) {
    char *message = malloc(size);
    for (size_t i = 0; i < size; i++) message[i] = text[i % (sizeof text - 1)];
    if (write(fd, message, size) != (ssize_t)size) return 1;
    double before = now_ns();
    for (long i = 0; i < calls; i++)
      if (write(fd, message, size) < 0) return 1;
    printf("%f\n", (now_ns() - before) / calls);
    fflush(stdout);
    free(message);
  }
  return 0;
}
