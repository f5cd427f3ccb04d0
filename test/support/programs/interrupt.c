// Starts a timer whose signal interrupts system calls. The handler writes "!\n" to a descriptor each time.
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static int notify_fd;

static void handler(int signal) {
  (void)signal;
  if (write(notify_fd, "!\n", 2) != 2) _exit(3);
}

// Without SA_RESTART, a blocked write returns EINTR: signal(7). All of Node's own handlers have SA_RESTART.
void arm(int notify, long milliseconds) {
  struct sigaction action = {.sa_handler = handler};
  struct itimerval every = {{0, milliseconds * 1000}, {0, milliseconds * 1000}};
  notify_fd = notify;
  sigaction(SIGALRM, &action, 0);
  setitimer(ITIMER_REAL, &every, 0);
}
