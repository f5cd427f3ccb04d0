// One level of a build: `level.mjs FILE LEVEL [witness]`, where FILE exports `levels`. LEVEL may be fs.writeSync.
import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { serveMeasured } from './measured.mjs';

const [, , file, id, isWitnessed] = process.argv;
const { levels, witness } = await import(pathToFileURL(file).href);

if (id === 'fs.writeSync') serveMeasured((fd, bytes) => writeSync(fd, bytes));
else if (!levels[id].available) {
  console.log(levels[id].reason);
  process.exit();
} else if (isWitnessed) {
  const { write } = levels[id];
  serveMeasured((fd, bytes) => witness(() => write(fd, bytes), { level: id }).result);
} else serveMeasured(levels[id].write);
