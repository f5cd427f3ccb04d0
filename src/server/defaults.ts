// The service's defaults, apart from app.ts: the command line shows them, and must not load the service for that.
import { defaultBudget } from './door/budget.js';

export const DEFAULTS = {
  history: 65_536,
  maxSubscribers: 256,
  maxWaiting: 100,
  bodyLimit: 4 << 20,
  heldBytes: defaultBudget(),
  witness: false,
  faults: process.platform === 'linux',
};
