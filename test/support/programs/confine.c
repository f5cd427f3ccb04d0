// Runs a command under a seccomp filter: https://man7.org/linux/man-pages/man2/seccomp.2.html
//   confine uring=ERRNO command …    io_uring_setup and io_uring_enter fail with that error
//   confine enter=ERRNO command …    only io_uring_enter fails with it
//   confine int80=ERRNO command …    the 32-bit write fails with that error
//   confine dispatch=ERRNO command … prctl(PR_SET_SYSCALL_USER_DISPATCH) fails with that error
//   confine int80=kill command …     any 32-bit system call kills the process
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
// Goes to the next statement if the value is equal, else skips `skip` statements.
#define EXPECT(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#else
#define NATIVE AUDIT_ARCH_AARCH64
#endif

static void confine(struct sock_filter *filter, unsigned short length) {
  struct sock_fprog program = {length, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    perror("seccomp");
    exit(125);
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return 125;
  const char *error = strchr(argv[1], '=') + 1;
  const unsigned refuse = SECCOMP_RET_ERRNO | (unsigned)atoi(error);
  struct sock_filter uring[] = {
      LOAD(arch), EXPECT(NATIVE, 5),       LOAD(nr), EXPECT(425, 1), RETURN(refuse), EXPECT(426, 1),
      RETURN(refuse), RETURN(SECCOMP_RET_ALLOW),
  };
  struct sock_filter enter[] = {
      LOAD(arch), EXPECT(NATIVE, 3), LOAD(nr), EXPECT(426, 1), RETURN(refuse), RETURN(SECCOMP_RET_ALLOW),
  };
  struct sock_filter int80[] = {
      LOAD(arch), EXPECT(AUDIT_ARCH_I386, 3), LOAD(nr), EXPECT(4, 1), RETURN(refuse), RETURN(SECCOMP_RET_ALLOW),
  };
  struct sock_filter kill[] = {
      LOAD(arch), EXPECT(AUDIT_ARCH_I386, 1), RETURN(SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ALLOW),
  };
  struct sock_filter dispatch[] = {
      LOAD(arch), EXPECT(NATIVE, 5), LOAD(nr), EXPECT(157, 3), LOAD(args[0]), EXPECT(59, 1), RETURN(refuse),
      RETURN(SECCOMP_RET_ALLOW),
  };
#define CONFINE(filter) confine(filter, sizeof(filter) / sizeof(filter[0]))
  if (strncmp(argv[1], "uring=", 6) == 0) CONFINE(uring);
  else if (strncmp(argv[1], "enter=", 6) == 0) CONFINE(enter);
  else if (strncmp(argv[1], "dispatch=", 9) == 0) CONFINE(dispatch);
  else if (strcmp(argv[1], "int80=kill") == 0) CONFINE(kill);
  else if (strncmp(argv[1], "int80=", 6) == 0) CONFINE(int80);
  else return 125;
  execvp(argv[2], argv + 2);
  perror(argv[2]);
  return 126;
}
