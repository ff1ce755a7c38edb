import { kog, kogByDie } from './structures';

/** What Kog reports, tokens/s: 3,000 (KOGRT), and up to 3,300 with compute units grouped by I/O die (KOGBLOG, CREETA). */
export const published = [
  { structure: kog, rate: 3000 },
  { structure: kogByDie, rate: 3300 },
];
