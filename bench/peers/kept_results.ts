import * as fs from 'node:fs';
import * as path from 'node:path';
import { type AgreementRow } from './agreement';
import { type Row } from './rows';

/** What quick runs, one for each model and format, have measured so far. */
export interface KeptResults {
  rows: Row[];
  agreement: AgreementRow[];
}

const rowKey = ({ model, weights, measure }: Row): string => JSON.stringify([model, weights, measure]);
const agreementKey = ({ who, model, format }: AgreementRow): string => JSON.stringify([who, model, format]);

function replaced<Item>(kept: readonly Item[], fresh: readonly Item[], key: (item: Item) => string): Item[] {
  const keys = new Set(fresh.map(key));
  return [...kept.filter((item) => !keys.has(key(item))), ...fresh];
}

/** Puts `fresh` beside what `file` keeps, in place of older results of the same measurements. */
export function keepResults(file: string, fresh: KeptResults): KeptResults {
  const kept = fs.existsSync(file)
    ? (JSON.parse(fs.readFileSync(file, 'utf8')) as KeptResults)
    : { rows: [], agreement: [] };
  const all = {
    rows: replaced(kept.rows, fresh.rows, rowKey),
    agreement: replaced(kept.agreement, fresh.agreement, agreementKey),
  };
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, JSON.stringify(all));
  return all;
}
