// For the library's doors: throws on a Node that is too old, where imports would fail later with riddles.
import { nodeProblem } from './node-version.js';

const problem = nodeProblem(process.versions.node);
if (problem) throw new Error(problem);
