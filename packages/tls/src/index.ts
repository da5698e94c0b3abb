export {
  certificateFiles,
  type CertificateFiles,
  type CertificateFilesOptions,
  type CertificatePaths,
} from './certificate-files.ts';
export {
  ownCertificateAuthority,
  type OwnCertificateAuthority,
  type OwnCertificateAuthorityOptions,
} from './own-certificate-authority.ts';
export type { CertificateInfo } from './provider.ts';
