import { simulateSeeds } from './seeds.ts';

simulateSeeds(51, 50);
