import { simulateSeeds } from './seeds.fixture.ts';

simulateSeeds(151, 50);
