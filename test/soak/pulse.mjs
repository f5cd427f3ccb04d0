// Measures how long GET /health takes while the load runs. Its own thread is idle, so only the service delays it.
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

const agent = new Agent({ keepAlive: true });
const took = [];
let over = false;
parentPort.once('message', () => {
  over = true;
});
parentPort.postMessage('started');
while (!over) {
  const before = performance.now();
  const isAnswered = await new Promise((resolve) => {
    get(`${workerData}/health`, { agent }, (answer) => answer.resume().once('end', () => resolve(true))).once(
      'error',
      () => resolve(false),
    );
  });
  took.push(isAnswered ? performance.now() - before : Number.POSITIVE_INFINITY);
  await sleep(50);
}
agent.destroy();
parentPort.postMessage(took);
