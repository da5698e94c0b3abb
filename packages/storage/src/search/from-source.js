/** Starts the search thread from its sources, where nothing is built: in tests and benchmarks. */
import { register } from 'tsx/esm/api';

register();
await import('./thread.ts');
