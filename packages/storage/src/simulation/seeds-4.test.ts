import { simulateSeeds } from './seeds.ts';

simulateSeeds(151, 50);
