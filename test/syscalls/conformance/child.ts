// One of the processes that the cases in processes.test.ts are made of:
//   child.ts records LEVEL PATH MARK SIZE COUNT   so many records of one size, each in one call
//   child.ts twice LEVEL PATH SIZE                two calls; prints both results
//   child.ts interrupted LEVEL PATH LIBRARY       one call on a full, blocking FIFO, with a timer's signals
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import koffi from 'koffi';
import type { LevelId } from '../../../src/protocol/names.js';
import { minusErrno } from '../../../src/syscalls/bindings/errno.js';
import { levels } from '../../../src/syscalls/index.js';

const [what, id, path, ...rest] = process.argv.slice(2) as [string, LevelId, string, ...string[]];
const { write } = levels[id];
const say = (value: unknown): number => writeSync(1, `${JSON.stringify(value)}\n`);

const MODES: Record<string, () => void> = {
  records() {
    const [mark, size, count] = rest as [string, string, string];
    const fd = openSync(path, constants.O_WRONLY | constants.O_APPEND);
    const bytes = Buffer.alloc(Number(size), mark);
    const results = new Set<number>();
    for (let made = 0; made < Number(count); ) {
      const result = write(fd, bytes);
      // uring answers EAGAIN where the others wait: its write never blocks.
      if (result === minusErrno('EAGAIN')) continue;
      results.add(result);
      made += 1;
    }
    closeSync(fd);
    say([...results]);
  },
  twice() {
    const [size] = rest;
    const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT);
    const bytes = Buffer.alloc(Number(size), 'a');
    say([write(fd, bytes), write(fd, bytes)]);
  },
  interrupted() {
    const [library] = rest as [string];
    const arm = koffi.load(library).func('void arm(int notify, long milliseconds)');
    const fd = openSync(path, constants.O_WRONLY);
    arm(1, 20);
    say(write(fd, Buffer.alloc(4096, 'b')));
  },
};

MODES[what]?.();
