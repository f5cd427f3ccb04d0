# Runs a command with a terminal of its own, and does something to the terminal. The command's stderr is descriptor 3.
#   terminal.py close COMMAND…    closes the terminal when a line comes on stdin, and prints the wait status
#   terminal.py tostop COMMAND…   runs the command in the background of a terminal with `stty tostop`, and prints its pid;
#                                 ends it when stdin ends
import fcntl
import os
import pty
import signal
import sys
import termios

how, *command = sys.argv[1:]

if how == "close":
    pid, master = pty.fork()
    if pid == 0:
        os.dup2(3, 2)
        os.execvp(command[0], command)
    sys.stdin.readline()
    os.close(master)
    print(os.waitpid(pid, 0)[1], flush=True)
else:
    master, slave = pty.openpty()
    reader, writer = os.pipe()
    leader = os.fork()
    if leader == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        settings = termios.tcgetattr(slave)
        settings[3] |= termios.TOSTOP
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            os.dup2(slave, 1)
            os.dup2(3, 2)
            os.execvp(command[0], command)
        os.write(writer, b"%d\n" % pid)
        os.waitpid(pid, 0)
        os._exit(0)
    pid = int(os.read(reader, 20))
    print(pid, flush=True)
    sys.stdin.read()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(leader, 0)
