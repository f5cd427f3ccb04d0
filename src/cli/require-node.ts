// For the command: ends it with one line on a Node that is too old.
import { nodeProblem } from '../syscalls/node-version.js';

const problem = nodeProblem(process.versions.node);
if (problem) {
  console.error(problem);
  process.exit(2);
}
