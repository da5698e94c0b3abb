export { directoryContract, inhabitants, type Inhabitants, type Runner } from './directory.ts';
