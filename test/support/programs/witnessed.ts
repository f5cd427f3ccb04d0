// Makes writes under a witness at every level, to every kind of target, and writes a list of lists for
// test/proofs/witness.test.ts, which runs this program under strace.
//   node --import tsx witnessed.ts ROUNDS LISTS
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { levels, verdictOf, witness } from '../../../src/syscalls/index.js';
import { openFaults } from '../../../src/syscalls/targets/faults.js';

const [rounds = '', listsFile = ''] = process.argv.slice(2);
const messages = ['hello', '', 'x'.repeat(100), 'Grüße 🌍\n'].map((text) => Buffer.from(text));
const targets = openFaults()
  .filter(({ reason }) => reason === null)
  .map(({ name, fd }) => ({ name, fd }));
targets.push({ name: 'null', fd: openSync('/dev/null', 'w') }, { name: 'file', fd: openSync(`${listsFile}.out`, 'a') });

const lists: object[] = [];
const available = Object.values(levels).filter(({ available }) => available);
for (let round = 0; round < Number(rounds); round++) {
  const bytes = messages[round % messages.length] as Buffer;
  for (const { name, fd } of targets)
    for (const { id, write } of available) {
      const { result, ...list } = witness(() => write(fd, bytes), { level: id, limit: 256 });
      const verdict = verdictOf({ level: id, fd, requested: bytes.length, result }, list);
      lists.push({ level: id, target: name, result, verdict, ...list });
    }
}
writeFileSync(listsFile, JSON.stringify({ lists, written: readFileSync(`${listsFile}.out`, 'latin1').length }));
