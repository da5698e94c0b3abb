/** SMTPUTF8 (RFC 6531): addresses and header fields in UTF-8, where the client asks for it. */
import { badArgument, type Extension } from '../verb.ts';

export const smtpUtf8: Extension = {
  keyword: 'SMTPUTF8',
  announce: () => 'SMTPUTF8',
  mail: {
    SMTPUTF8(value, envelope) {
      if (value !== undefined) return badArgument('SMTPUTF8 takes no value');
      envelope.smtpUtf8 = true;
      return undefined;
    },
  },
};
