/** SELECT and EXAMINE (RFC 9051 sections 6.3.2 and 6.3.3), with the parameters of RFC 4466 section 2.1. */
import { flagBit } from '@mail-server-kit/core';
import { command, type Call, type Command } from '../command.ts';
import { switchOnFor } from '../enabling.ts';
import { flagNamesOf, permanentFlags } from '../flag-texts.ts';
import { listAttributes, writeList } from '../list/response.ts';
import { mailboxNamed } from '../mailboxes.ts';
import { View } from '../view.ts';
import { Problem } from '../wire/problem.ts';

export const select = selecting('SELECT', false);
export const examine = selecting('EXAMINE', true);

function selecting(name: string, readOnly: boolean): Command {
  return command({
    name,
    state: 'authenticated',

    parse(read, { dialect }) {
      const mailbox = read.mailbox();
      const parameters = !read.skip(' ')
        ? []
        : read.list(() => {
            const row = dialect.selectParameters.get(read.keyword('a parameter'));
            if (!row) throw new Problem('Unknown SELECT parameter');
            return { row, effect: row.parse(read) };
          });
      read.end();
      return { mailbox, parameters };
    },

    async run(call) {
      const { session, args, respond, talk } = call;
      // "The SELECT command automatically deselects any currently selected mailbox before attempting the new selection"
      // (RFC 9051 section 6.3.2); what is said after CLOSED belongs to the new one.
      if (session.view) {
        talk.select(undefined);
        respond.code('CLOSED', 'Previous mailbox is now closed');
      }
      switchOnFor(
        call,
        args.parameters.map(({ row }) => row),
      );
      const info = await mailboxNamed(session, args.mailbox);
      const view = await View.open(session.store, info, {
        readOnly,
        recents: session.wiring.recent,
      });
      talk.select(view);
      await describe(view, call);
      for (const { effect } of args.parameters) await effect(view, call);
      return `[${readOnly ? 'READ-ONLY' : 'READ-WRITE'}] ${name} completed`;
    },
  });
}

async function describe(
  view: View,
  { session, respond }: Pick<Call<'authenticated', unknown>, 'session' | 'respond'>,
): Promise<void> {
  const { snapshot, info } = view;
  respond.untagged(`FLAGS (${flagNamesOf(snapshot)})`);
  if (view.readOnly) respond.code('PERMANENTFLAGS ()', 'No flags can be changed');
  else respond.code(...permanentFlags(snapshot));
  respond.untagged(`${view.messages} EXISTS`);
  if (session.wording.recent) {
    respond.untagged(`${view.recentCount} RECENT`);
    const first = firstUnseen(view);
    if (first !== undefined) respond.code(`UNSEEN ${first}`, 'First unseen');
  }
  respond.code(`UIDVALIDITY ${snapshot.uidValidity}`, 'UIDs valid');
  respond.code(`UIDNEXT ${snapshot.uidNext}`, 'Predicted next UID');
  for (const tell of session.wiring.dialect.selectResponses) tell(view, respond, session);
  // REQUIRED by RFC 9051 section 6.3.2 only; clients of RFC 3501 do not expect it here.
  if (session.enabled.has('IMAP4REV2')) {
    const mailboxes = await session.store.mailboxes(session.account.id);
    const hasChildren = mailboxes.some(({ name }) => name.startsWith(`${info.name}/`));
    const entry = { name: info.name, info, subscribed: info.subscribed, hasChildren };
    writeList(respond, listAttributes(entry), entry.name);
  }
}

/** The sequence number of the first message without \Seen, which RFC 3501 section 6.3.1 asks for. */
function firstUnseen(view: View): number | undefined {
  // The view was opened just now: its numbers are those of the snapshot.
  let before = 0;
  for (const block of view.snapshot.blocks) {
    if (block.unseen > 0) {
      return before + 1 + block.flagsLow.findIndex((flags) => (flags & flagBit.seen) === 0);
    }
    before += block.length;
  }
  return undefined;
}
