import { simulateSeeds } from './seeds.fixture.ts';

simulateSeeds(101, 50);
