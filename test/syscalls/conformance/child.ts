// A child process for processes.test.ts:
//   child.ts records LEVEL PATH MARK SIZE COUNT   writes COUNT records of SIZE bytes, one per call; prints the results
//   child.ts twice LEVEL PATH SIZE                makes two calls; prints both results
//   child.ts interrupted LEVEL PATH LIBRARY       makes one call on a full, blocking FIFO while a timer sends signals
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import koffi from 'koffi';
import type { LevelId } from '../../../src/protocol/names.js';
import { minusErrno } from '../../../src/syscalls/bindings/errno.js';
import { levels } from '../../../src/syscalls/index.js';

const [mode, id, path, ...rest] = process.argv.slice(2) as [string, LevelId, string, ...string[]];
const { write } = levels[id];
const print = (value: unknown): number => writeSync(1, `${JSON.stringify(value)}\n`);

const MODES: Record<string, () => void> = {
  records() {
    const [mark, size, count] = rest as [string, string, string];
    const fd = openSync(path, constants.O_WRONLY | constants.O_APPEND);
    const bytes = Buffer.alloc(Number(size), mark);
    const results = new Set<number>();
    for (let made = 0; made < Number(count); ) {
      const result = write(fd, bytes);
      // When the FIFO is full, uring returns EAGAIN, while the other levels wait.
      if (result === minusErrno('EAGAIN')) continue;
      results.add(result);
      made += 1;
    }
    closeSync(fd);
    print([...results]);
  },
  twice() {
    const [size] = rest;
    const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT);
    const bytes = Buffer.alloc(Number(size), 'a');
    print([write(fd, bytes), write(fd, bytes)]);
  },
  interrupted() {
    const [library] = rest as [string];
    const arm = koffi.load(library).func('void arm(int notify, long milliseconds)');
    const fd = openSync(path, constants.O_WRONLY);
    arm(1, 20);
    print(write(fd, Buffer.alloc(4096, 'b')));
  },
};

MODES[mode]?.();
