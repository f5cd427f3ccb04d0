// Runs one case with or without a witness around it, for test/native/witness.test.ts, which compares the two.
//   node lives.cjs ADDON CASE with|without
const { execFileSync, spawn, spawnSync } = require('node:child_process');
const { closeSync, openSync, readFileSync, readdirSync, writeSync } = require('node:fs');
const { Worker, isMainThread, workerData } = require('node:worker_threads');
const [addonPath, name, how] = isMainThread ? process.argv.slice(2) : workerData;
const addon = require(addonPath);
const koffi = () => require('koffi').load(null);

const print = (text) => writeSync(1, `${text}\n`);
/** The list of the last witness: `run` in src/syscalls/bindings/addon.ts. */
const words = new BigInt64Array(3 + 256 * 12);
const previews = new Uint8Array(256 * 64);
/** Runs a callback, and returns its result. */
const during = (callback) => (how === 'with' ? addon.witness.run(callback, 256, words, previews) : callback());
const tryWrite = () => addon.write(-1, Buffer.from('x'));

/** Starts a worker that runs a function of this file. */
const startWorker = (task) =>
  new Worker(__filename, { workerData: [addonPath, task, how], stdout: false, stderr: false });

/** The state of this thread that a witness changes while it is armed. */
const state = () => {
  const status = readFileSync('/proc/thread-self/status', 'latin1');
  const signals = status.match(/^(SigBlk|SigIgn|SigCgt):.*$/gm);
  return JSON.stringify([signals, readdirSync('/proc/self/fd').length]);
};

// struct sock_filter: code, jt, jf, k. https://man7.org/linux/man-pages/man2/seccomp.2.html
/** write(2) to descriptor 12345 raises SIGSYS. */
const TRAP_WRITES = [
  [0x20, 0, 0, 0], // load the number
  [0x15, 0, 3, 1], // is it write?
  [0x20, 0, 0, 16], // load the first argument
  [0x15, 0, 1, 12345],
  [0x06, 0, 0, 0x00030000], // SECCOMP_RET_TRAP
  [0x06, 0, 0, 0x7fff0000], // SECCOMP_RET_ALLOW
];
/** prctl(2) fails with EPERM. */
const FORBID_PRCTL = [
  [0x20, 0, 0, 0],
  [0x15, 0, 1, 157],
  [0x06, 0, 0, 0x00050001], // SECCOMP_RET_ERRNO
  [0x06, 0, 0, 0x7fff0000],
];

/** Installs a seccomp filter in this thread. */
function confine(filter) {
  const bytes = Buffer.alloc(filter.length * 8);
  for (const [at, [code, jt, jf, k]] of filter.entries()) {
    bytes.writeUInt16LE(code, at * 8);
    bytes[at * 8 + 2] = jt;
    bytes[at * 8 + 3] = jf;
    bytes.writeUInt32LE(k, at * 8 + 4);
  }
  const lib = koffi();
  const malloc = lib.func('uintptr_t malloc(size_t size)');
  const copy = lib.func('void *memcpy(uintptr_t to, const void *from, size_t size)');
  const prctl = lib.func('int prctl(int option, uint64_t a, uintptr_t b, uint64_t c, uint64_t d)');
  const program = malloc(16);
  const code = malloc(bytes.length);
  copy(code, bytes, bytes.length);
  const head = Buffer.alloc(16);
  head.writeUInt16LE(filter.length, 0);
  head.writeBigUInt64LE(BigInt(code), 8);
  copy(program, head, 16);
  if (prctl(38, 1, 0, 0, 0) !== 0 || prctl(22, 2, program, 0, 0) !== 0) print('no seccomp');
}

/** Returns functions of libc that change this thread's signals. */
function signals() {
  const lib = koffi();
  const mask = lib.func('int pthread_sigmask(int how, const uint64_t *set, _Out_ uint64_t *old)');
  const wide = (value) => [value, ...new Array(15).fill(0)]; // sigset_t has 1024 bits
  return {
    block: (set) => mask(0, wide(set), new Array(16).fill(0)),
    blocked: () => {
      const old = new Array(16).fill(0);
      mask(0, null, old);
      return old[0];
    },
  };
}

const CASES = {
  /** Another thread sends signals all the time, also while the callback calculates. */
  async storm() {
    let got = 0;
    for (const signal of ['SIGHUP', 'SIGUSR2', 'SIGWINCH']) process.on(signal, () => got++);
    // Not by kill(2), which may choose another thread.
    const isOver = new Int32Array(new SharedArrayBuffer(4));
    const thread = koffi().func('uintptr_t pthread_self()')();
    const worker = new Worker(
      `const send = require('koffi').load(null).func('int pthread_kill(uintptr_t thread, int signal)');
       const { isOver, thread } = require('node:worker_threads').workerData;
       while (Atomics.load(isOver, 0) === 0) for (const signal of [1, 12, 28]) send(thread, signal);`,
      { eval: true, workerData: { isOver, thread } },
    );
    const exit = new Promise((resolve) => worker.once('exit', resolve));
    const fd = openSync('/dev/null', 'w');
    const bytes = Buffer.from('x');
    let calls = 0;
    // A kernel without 32-bit calls kills the process at int $0x80.
    const other = addon.int80.probe().signal === 0 ? addon.int80 : addon;
    const callback = () => {
      const written = addon.write(fd, bytes) + other.write(fd, bytes);
      for (const until = performance.now() + 0.1; performance.now() < until; );
      return written + writeSync(fd, bytes);
    };
    while (got < 1000) {
      for (let i = 0; i < 100; i++) calls += during(callback) === 3;
      await new Promise(setImmediate);
    }
    Atomics.store(isOver, 0, 1);
    await exit;
    print(calls > 0);
  },

  /** Threads are terminated while they make calls, and while they start. */
  async terminate() {
    for (let i = 0; i < 40; i++) {
      const worker = startWorker('loop');
      if (i % 4 > 0) await new Promise((resolve) => worker.once('message', resolve));
      await worker.terminate();
    }
    print(during(tryWrite));
  },
  loop() {
    require('node:worker_threads').parentPort.postMessage(0);
    for (;;) during(tryWrite);
  },
  /** The thread is terminated inside the callback. */
  async 'terminate-inside'() {
    for (let i = 0; i < 10; i++) {
      const worker = startWorker('loop-inside');
      await new Promise((resolve) => worker.once('message', resolve));
      await worker.terminate();
    }
    print(during(tryWrite));
  },
  'loop-inside'() {
    during(() => {
      require('node:worker_threads').parentPort.postMessage(0);
      for (;;) tryWrite();
    });
  },
  /** Many threads are armed at the same time. */
  async threads() {
    const ends = Array.from({ length: 20 }, () => startWorker('some')).map(
      (worker) => new Promise((resolve) => worker.once('exit', resolve)),
    );
    for (let i = 0; i < 2000; i++) during(tryWrite);
    print(await Promise.all(ends));
    print(state());
  },
  some() {
    for (let i = 0; i < 2000; i++) if (during(tryWrite) !== -9) process.exit(3);
  },

  /** The garbage collector runs, and asks the kernel for memory. */
  collect() {
    const { setFlagsFromString } = require('node:v8');
    setFlagsFromString('--expose-gc');
    const gc = require('node:vm').runInNewContext('gc');
    let kept = [];
    for (let i = 0; i < 30; i++)
      during(() => {
        kept = Array.from({ length: 20_000 }, () => ({ buffer: new Uint8Array(64) }));
        gc();
        tryWrite();
      });
    print(kept.length);
  },

  overflow() {
    let depth = 0;
    const dive = () => {
      depth++;
      tryWrite();
      dive();
    };
    for (let i = 0; i < 3; i++)
      try {
        during(dive);
      } catch (error) {
        print(error.constructor.name);
      }
    // From the deepest frames, a witness is armed where hardly any stack is left.
    const sink = (...padding) => {
      try {
        sink(...padding);
      } catch {}
      try {
        if (depth-- > 0) during(tryWrite);
      } catch {}
    };
    for (let size = 0; size < 30; size++) {
      depth = 30;
      sink(...new Array(size).fill(0));
    }
    print(during(tryWrite));
  },

  throw() {
    const thrown = new Error('mine');
    try {
      during(() => {
        throw thrown;
      });
    } catch (error) {
      print(error === thrown);
    }
    print(during(tryWrite));
    print(state());
  },

  exit() {
    process.on('exit', () => print(tryWrite()));
    during(() => process.exit(7));
  },
  async 'exit-worker'() {
    const worker = startWorker('exit-inside');
    print(await new Promise((resolve) => worker.once('exit', resolve)));
    print(during(tryWrite));
  },
  'exit-inside'() {
    during(() => process.exit(5));
  },

  async worker() {
    const worker = during(() => new Worker('', { eval: true }));
    print(await new Promise((resolve) => worker.once('exit', resolve)));
    print(during(tryWrite));
    print(state().replace(/\d+\]$/, ''));
  },

  child() {
    const status = () => execFileSync('grep', ['-E', '^Sig(Blk|Ign)', '/proc/self/status'], { encoding: 'latin1' });
    print(during(status));
    print(during(() => spawnSync('sh', ['-c', 'kill -TERM $$']).signal));
    // system(3) makes a vfork.
    print(during(() => koffi().func('int system(const char *command)')('exit 3')));
    print(during(tryWrite));
    print(state());
  },

  /** WebAssembly reads beyond its memory: V8 handles the SIGSEGV. */
  trap() {
    // (module (memory 1) (func (export "f") (param i32) (result i32) local.get 0 i32.load))
    const code = '0061736d0100000001060160017f017f030201000503010001070501016600000a0901070020002802000b';
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(code, 'hex'))).exports;
    words[2] = 1n;
    const result = during(() => {
      try {
        return f(100_000_000);
      } catch (error) {
        return `${error} ${tryWrite()}`;
      }
    });
    print(`${result} ${words[2]}`);
    print(state());
  },

  'seccomp-trap'() {
    confine(TRAP_WRITES);
    print(during(() => addon.write(12345, Buffer.from('x'))));
  },
  /** A filter that is installed inside the window forbids to switch dispatch off. */
  async 'seccomp-prctl'() {
    const worker = startWorker('forbidden');
    print(await new Promise((resolve) => worker.once('exit', resolve)));
    print(during(tryWrite));
  },
  forbidden() {
    during(() => confine(FORBID_PRCTL));
    tryWrite();
  },
  /** The filter's SIGSYS comes in a thread without a witness, while this thread has one. */
  'seccomp-trap-elsewhere'() {
    confine(TRAP_WRITES);
    startWorker('trapped');
    during(() => {
      for (const until = performance.now() + 10_000; performance.now() < until; );
    });
    print('alive');
  },
  trapped() {
    addon.write(12345, Buffer.from('x'));
  },
  /** The handler is installed inside the window, and the filter's SIGSYS reaches it. */
  'seccomp-handled'() {
    confine(TRAP_WRITES);
    process.on('SIGSYS', () => print('SIGSYS'));
    print(addon.write(12345, Buffer.from('x')) !== 1);
    if (how === 'with') print(addon.witness.run(tryWrite, 1, words, previews).refusedBy === 'sigaction');
    else print(true);
    setTimeout(() => {}, 50);
  },
  'kill-sys'() {
    during(() => process.kill(process.pid, 'SIGSYS'));
    print('alive');
  },
  'kill-sys-while-writing'() {
    const ends = [0, 0];
    koffi().func('int pipe(_Out_ int *ends)')(ends);
    addon.write(ends[1], Buffer.alloc(65_536));
    spawn('sh', ['-c', `sleep 0.2; kill -SYS ${process.pid}`]);
    during(() => addon.write(ends[1], Buffer.alloc(1)));
    print('alive');
  },
  'kill-sys-ignored'() {
    // SIG_IGN is 1.
    koffi().func('uintptr_t signal(int number, uintptr_t handler)')(31, 1);
    during(() => process.kill(process.pid, 'SIGSYS'));
    print(state());
  },
  /** The thread has blocked SIGSYS, and gets one: it waits. */
  'kill-sys-blocked'() {
    const { block, blocked } = signals();
    const lib = koffi();
    const thread = lib.func('uintptr_t pthread_self()')();
    const kill = lib.func('int pthread_kill(uintptr_t thread, int signal)');
    print(during(() => [block(2 ** 30), kill(thread, 31), tryWrite(), blocked()]));
    print(readFileSync('/proc/thread-self/status', 'latin1').match(/^SigPnd:.*$/m)[0]);
    if (how === 'with') print(addon.witness.run(tryWrite, 1, words, previews).refusedBy === 'rt_sigpending');
    else print(true);
    print(state());
  },
  'handler-inside'() {
    process.on('SIGUSR2', () => {});
    during(() => process.on('SIGSYS', () => print('SIGSYS')));
    print(state());
    process.kill(process.pid, 'SIGSYS');
    setTimeout(() => {}, 50);
  },
  'handler-inside-called'() {
    during(() => {
      process.on('SIGSYS', () => print('SIGSYS'));
      process.kill(process.pid, 'SIGSYS');
      tryWrite();
    });
    print(state());
    setTimeout(() => {}, 50);
  },
  'handler-removed'() {
    const listener = () => {};
    during(() => {
      process.on('SIGSYS', listener);
      process.off('SIGSYS', listener);
      process.kill(process.pid, 'SIGSYS');
    });
    print('alive');
  },

  /** The signal mask that the callback sets is that of the thread afterwards. */
  mask() {
    const { block, blocked } = signals();
    const inside = during(() => [blocked(), block(1 << 9), blocked()]);
    print(`${inside} ${blocked()}`);
    print(during(tryWrite));
    print(state());
  },
  /** All signals are blocked, SIGSYS too. */
  'mask-all'() {
    const { block } = signals();
    print(during(() => [block(-1n), tryWrite(), tryWrite()]));
    print(state());
    print(during(tryWrite));
  },
  /** The alternate signal stack that the callback sets is that of the thread afterwards. */
  altstack() {
    const lib = koffi();
    const sigaltstack = lib.func('int sigaltstack(const void *stack, void *old)');
    const malloc = lib.func('uintptr_t malloc(size_t size)');
    // stack_t: address, flags, size.
    const [before, inside] = [65_536, 131_072].map((size) => {
      const stack = Buffer.alloc(24);
      stack.writeBigUInt64LE(BigInt(malloc(size)), 0);
      stack.writeBigUInt64LE(BigInt(size), 16);
      return stack;
    });
    sigaltstack(before, null);
    print(during(() => sigaltstack(inside, null)));
    const after = Buffer.alloc(24);
    sigaltstack(null, after);
    print(after.equals(inside));
  },
  /** The kernel takes any address for /dev/null: the witness may not read there. */
  'bad-address'() {
    const write = koffi().func('intptr_t write(int fd, uintptr_t bytes, size_t count)');
    const fd = openSync('/dev/null', 'w');
    print(during(() => [write(fd, 16, 5), write(fd, 0, 100)]));
  },
  /** Another copy of the witness takes dispatch over. */
  copy() {
    const other = require(process.argv[5]);
    const inside = () =>
      how === 'with'
        ? other.witness.run(tryWrite, 256, new BigInt64Array(words.length), new Uint8Array(previews.length))
        : tryWrite();
    print(during(() => [inside(), tryWrite()]));
    print(during(tryWrite));
    print(state());
  },
  /** The program itself switches dispatch off: PR_SET_SYSCALL_USER_DISPATCH is 59. */
  taken() {
    const prctl = koffi().func('int prctl(int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d)');
    const { blocked } = signals();
    words[2] = 0n;
    print(during(() => [prctl(59, 0, 0, 0, 0), tryWrite(), blocked()]));
    print(words[2]);
    print(during(tryWrite));
    print(state());
  },
  /** Poll is stopped and goes on: the kernel makes a restart_syscall. */
  restart() {
    const poll = koffi().func('int poll(void *fds, uint64_t count, int milliseconds)');
    const before = Date.now();
    // The shell stays until its stdin ends: its SIGCHLD would interrupt the poll.
    const child = spawn('sh', [
      '-c',
      `sleep 0.1; kill -STOP ${process.pid}; sleep 0.1; kill -CONT ${process.pid}; read end`,
    ]);
    const result = during(() => poll(null, 0, 400));
    print(`${result} ${Date.now() - before >= 390}`);
    child.stdin.end();
  },
  /** A 32-bit call with six arguments. */
  six() {
    const map = require('koffi').load(process.argv[5]).func('int second_page(int fd)');
    const fd = openSync(__filename);
    print(during(() => map(fd)) === readFileSync(__filename)[4096]);
  },
  /** A handler without SA_RESTART interrupts a write that waits. */
  interrupted() {
    const arm = require('koffi').load(process.argv[5]).func('void arm(int notify, long milliseconds)');
    const ends = [0, 0];
    koffi().func('int pipe(_Out_ int *ends)')(ends);
    const bytes = Buffer.alloc(100_000);
    const notify = openSync('/dev/null', 'w');
    arm(notify, 30);
    print(during(() => addon.write(ends[1], bytes)));
    print(during(() => addon.write(ends[1], bytes)));
    arm(notify, 0);
    print(state());
  },
  /** A signal handler leaves a read that waits by longjmp. The mask that is set afterwards stays. */
  jump() {
    const jump = require('koffi').load(process.argv[5]).func('int jump(int fd)');
    const ends = [0, 0];
    koffi().func('int pipe(_Out_ int *ends)')(ends);
    print(during(() => jump(ends[0])));
    print(state());
    print(during(tryWrite));
  },
  /** SIGTERM ends a process whose write waits. */
  'killed-while-writing'() {
    const ends = [0, 0];
    koffi().func('int pipe(_Out_ int *ends)')(ends);
    addon.write(ends[1], Buffer.alloc(65_536));
    spawn('sh', ['-c', `sleep 0.2; kill -TERM ${process.pid}`]);
    during(() => addon.write(ends[1], Buffer.alloc(1)));
    print('alive');
  },
  /** In the background of a terminal with `stty tostop`: the write stops the process. */
  tostop() {
    during(() => addon.write(1, Buffer.from('alive')));
    process.exit(9);
  },
  /** The witness leaves nothing open. */
  closed() {
    const before = state();
    for (let i = 0; i < 1000; i++) during(tryWrite);
    print(before === state());
    for (let i = 0; i < 100; i++) closeSync(during(() => openSync('/dev/null')));
    print(before === state());
  },
};

CASES[name]();
