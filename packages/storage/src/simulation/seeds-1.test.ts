import { simulateSeeds } from './seeds.fixture.ts';

simulateSeeds(1, 50);
