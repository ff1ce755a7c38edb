/** The status bar's tooltip: state, the last request's figures, the session's acceptance, and links to commands. */
import * as vscode from 'vscode';
import type { StatsParams } from '../../../lsp-server/protocol';
import { escapeMarkdown } from '../markdown';
import { formatRate } from './view';
import type { Facts, View } from './view';

interface Link {
  label: string;
  command: string;
}

export function tooltipOf(facts: Facts, view: View): vscode.MarkdownString {
  const links = linksOf(facts);
  const tooltip = new vscode.MarkdownString(undefined, true);
  tooltip.isTrusted = { enabledCommands: links.map(({ command }) => command) };
  const runs = [facts.status?.model, facts.status?.engine].filter((part) => part !== undefined);
  tooltip.appendMarkdown(`**Monokernel**\n\n${escapeMarkdown(view.summary)}`);
  if (runs.length > 0) tooltip.appendMarkdown(`\n\n${escapeMarkdown(runs.join(' · '))}`);
  for (const warning of facts.status?.warnings ?? [])
    tooltip.appendMarkdown(`\n\n$(warning) ${escapeMarkdown(warning)}`);
  if (facts.stats !== undefined) tooltip.appendMarkdown(`\n\n${figures(facts.stats)}`);
  tooltip.appendMarkdown(
    `\n\n---\n\n${links.map(({ label, command }) => `[${label}](command:${command})`).join(' · ')}`,
  );
  return tooltip;
}

function figures(stats: StatsParams): string {
  const last = stats.kind === 'explain' ? vscode.l10n.t('Last explanation') : vscode.l10n.t('Last completion');
  const rows: [string, string][] = [
    [vscode.l10n.t('Decode'), vscode.l10n.t('{0} tokens/s', formatRate(stats.decodeRate))],
    [vscode.l10n.t('Prefill'), vscode.l10n.t('{0} tokens/s', formatRate(stats.prefillRate))],
    [vscode.l10n.t('First token'), vscode.l10n.t('{0} ms', stats.timeToFirstToken.toFixed(0))],
    [vscode.l10n.t('Prompt'), vscode.l10n.t('{0} tokens, {1} reused', stats.promptTokens, stats.reusedTokens)],
    [vscode.l10n.t('Generated'), vscode.l10n.t('{0} tokens', stats.generatedTokens)],
    [vscode.l10n.t('Accepted'), acceptance(stats)],
  ];
  const lines = rows.map(([name, value]) => `| ${name} | &nbsp;&nbsp; ${value} |`);
  return [`| ${last} | |`, '| :-- | --: |', ...lines].join('\n');
}

function acceptance({ accepted, offered }: StatsParams): string {
  if (offered === 0) return vscode.l10n.t('none offered yet');
  return vscode.l10n.t('{0} of {1} ({2} %)', accepted, offered, Math.round((100 * accepted) / offered));
}

function linksOf({ phase, status, refusal, explaining }: Facts): Link[] {
  const links: Link[] = [];
  if (explaining) links.push({ label: vscode.l10n.t('Stop explaining'), command: 'monokernel.stopExplaining' });
  if (status?.state === 'error') {
    links.push({ label: vscode.l10n.t('Select model folder'), command: 'monokernel.selectModel' });
  }
  if (phase === 'stopped') links.push({ label: vscode.l10n.t('Restart'), command: 'monokernel.restart' });
  if (phase === 'stopped' || status?.state === 'error') {
    links.push({ label: vscode.l10n.t('Doctor'), command: 'monokernel.doctor' });
  }
  const toggle = refusal === 'off' ? vscode.l10n.t('Turn on') : vscode.l10n.t('Turn off');
  links.push({ label: toggle, command: 'monokernel.toggle' });
  links.push({ label: vscode.l10n.t('Log'), command: 'monokernel.showLog' });
  links.push({ label: vscode.l10n.t('More…'), command: 'monokernel.showMenu' });
  return links;
}
