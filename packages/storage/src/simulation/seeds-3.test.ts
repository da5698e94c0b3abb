import { simulateSeeds } from './seeds.ts';

simulateSeeds(101, 50);
