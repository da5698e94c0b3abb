/** The list of mechanisms: what may be offered, and one exchange of each kind. */
import type { Directory } from '../directory.ts';
import type { SaslClient, SaslClientOptions } from './client.ts';
import type { ChannelBindings, MechanismName, SaslExchange, SaslOptions } from './exchange.ts';
import { loginClient, loginExchange } from './login.ts';
import { plainClient, plainExchange } from './plain.ts';
import { offersPlus, scramClient, scramExchange } from './scram.ts';

interface Mechanism {
  /** The server learns the password. */
  readonly reveals: boolean;
  readonly server: (options: SaslOptions) => SaslExchange;
  readonly client: (options: SaslClientOptions) => SaslClient;
}

/** Strongest first. */
const mechanisms: Readonly<Record<MechanismName, Mechanism>> = {
  'SCRAM-SHA-256-PLUS': {
    reveals: false,
    server: (options) => scramExchange('SCRAM-SHA-256-PLUS', options),
    client: (options) => scramClient('SCRAM-SHA-256-PLUS', options),
  },
  'SCRAM-SHA-256': {
    reveals: false,
    server: (options) => scramExchange('SCRAM-SHA-256', options),
    client: (options) => scramClient('SCRAM-SHA-256', options),
  },
  PLAIN: { reveals: true, server: plainExchange, client: plainClient },
  LOGIN: { reveals: true, server: loginExchange, client: loginClient },
};

const names = Object.keys(mechanisms) as MechanismName[];

export function isMechanismName(name: string): name is MechanismName {
  return Object.hasOwn(mechanisms, name);
}

/**
 * What may be offered, strongest first. `bindings`: of the connection; give the same to `createSaslExchange`, which
 * refuses clients that believe -PLUS was not offered when it was. `secure: false`: without the mechanisms that would show the password
 * to whoever listens (RFC 9051 section 11.2).
 */
export function saslMechanisms(
  directory: Pick<Directory, 'scram'>,
  { bindings, secure = true }: { bindings?: ChannelBindings | undefined; secure?: boolean } = {},
): MechanismName[] {
  return names.filter((name) => {
    if (name === 'SCRAM-SHA-256-PLUS' && !offersPlus(bindings)) return false;
    if (name.startsWith('SCRAM-') && !directory.scram) return false;
    return secure || !mechanisms[name].reveals;
  });
}

/** The server side. The caller offers only what `saslMechanisms` names, and says no to everything else. */
export function createSaslExchange(name: MechanismName, options: SaslOptions): SaslExchange {
  return mechanisms[name].server(options);
}

/** @throws TypeError for SCRAM-SHA-256-PLUS without bindings, and for LOGIN with an authorization identity */
export function createSaslClient(name: MechanismName, options: SaslClientOptions): SaslClient {
  return mechanisms[name].client(options);
}
