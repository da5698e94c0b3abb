export {
  createSmtpServer,
  type SmtpListen,
  type SmtpServer,
  type SmtpServerOptions,
} from './receive/server.ts';
export type { Kind as SmtpKind, SmtpLimits } from './receive/settings.ts';
