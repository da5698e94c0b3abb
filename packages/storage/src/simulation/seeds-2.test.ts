import { simulateSeeds } from './seeds.fixture.ts';

simulateSeeds(51, 50);
