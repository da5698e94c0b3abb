export { fakeClock, turn, type FakeClock } from './clock.ts';
export { seededRandom, type SeededRandom } from './random.ts';
export { duplexPair } from './duplex-pair.ts';
export { sampleMessages } from './messages.ts';
export { transcript, type Transcript, type TranscriptClient } from './transcript.ts';
export { fakeDirectory, type FakeDirectory, type FakeDirectoryOptions } from './directory.ts';
export { fakeDisk, type FakeDisk } from './disk.ts';
export { fakeResolver, fakeDialer, type FakeDialer, type FakeRecords } from './network.ts';
