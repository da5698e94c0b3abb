/** IDLE (RFC 9051 section 6.3.13): news come as they happen, until DONE. */
import { command, nothing } from '../command.ts';
import type { Extension } from '../extension.ts';
import { bad } from '../outcome.ts';

const idle = command({
  name: 'IDLE',
  state: 'authenticated',
  parse: nothing,

  async run({ session, respond, talk, report }) {
    const { clock, limits } = session.wiring;
    await talk.goAhead('idling');
    let done = false;
    let wake = (): void => {};
    const line = talk.line();
    const end = (): void => {
      done = true;
      wake();
    };
    line.then(end, end);
    while (!done) {
      await report();
      await talk.flush();
      let quiet = false;
      await new Promise<void>((resolve) => {
        // A word now and then keeps the link open through carriers that forget silent ones.
        const cancel = clock.after(limits.keepAlive, () => {
          quiet = true;
          resolve();
        });
        wake = () => {
          cancel();
          resolve();
        };
        if (done) wake();
        void session.view?.changed().then(() => wake());
      });
      if (quiet && !done) respond.untagged('OK Still here');
    }
    if ((await line).toString('latin1').toUpperCase() !== 'DONE') throw bad('Expected DONE');
  },
});

export const idleExtension: Extension = { capabilities: ['IDLE'], commands: [idle] };
