import * as fs from 'node:fs';
import * as os from 'node:os';

/** What the figures were taken on, for people. */
export function machineLines(): string[] {
  const info = fs.readFileSync('/proc/cpuinfo', 'utf8');
  const flags = new Set(/^flags\s*:\s*(.+)$/m.exec(info)?.[1]?.split(' '));
  const wanted = ['avx2', 'avx_vnni', 'avx512f', 'avx512_bf16', 'avx512_vnni', 'avx512_fp16', 'amx_tile'];
  const features = wanted.filter((flag) => flags.has(flag)).join(', ');
  const processors = os.cpus();
  const gibibytes = Math.round(os.totalmem() / 2 ** 30);
  const date = new Date().toISOString().slice(0, 10);
  return [
    `${date}; ${processors.length} processors of "${processors[0]?.model ?? 'unknown'}" (${features}), ${gibibytes} GiB.`,
  ];
}
