// Tells bench/ the port of a server, and ends with its standard input. A line is answered by `answer`.
import process from 'node:process';
import { createInterface } from 'node:readline';

export function served(port, answer = async () => '') {
  console.log(port);
  createInterface({ input: process.stdin })
    .on('line', async (line) => console.log(await answer(line)))
    .on('close', () => process.exit());
}
