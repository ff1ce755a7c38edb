import type { GenerateStatistics } from './engine/contract';
import type { StatsParams, StatusParams } from './protocol';
import { RecentRate } from './recent_rate';
import { Throttle } from './throttle';

/** Notifications a second, at most: four. */
const interval = 250;

/** What the server tells the client about itself: state and figures. */
export class Reporter implements Disposable {
  private base: StatusParams = { state: 'loading', progress: 0 };
  private problems: readonly string[] = [];
  private running = 0;
  private offered = 0;
  private accepted = 0;
  private rate = new RecentRate();
  private last: StatsParams | undefined;
  private readonly status: Throttle<StatusParams>;
  private readonly stats: Throttle<StatsParams>;

  constructor(send: { status: (params: StatusParams) => void; stats: (params: StatsParams) => void }) {
    this.status = new Throttle(interval, send.status);
    this.stats = new Throttle(interval, send.stats);
  }

  /** The state while nothing is generated. A model that is being loaded has no rate yet, whatever the one before had. */
  setState(state: StatusParams): void {
    this.base = state;
    if (state.state === 'loading') this.forgetRate();
    this.sendStatus();
  }

  /** Settings that do not make sense; they are told on with every state. */
  setProblems(problems: readonly string[]): void {
    if (problems.join('\n') === this.problems.join('\n')) return;
    this.problems = problems;
    this.sendStatus();
  }

  /** A request of the engine began. */
  started(): void {
    this.running += 1;
    this.sendStatus();
  }

  /** A request of the engine is over. An error shows until the next one succeeds. */
  ended(kind: StatsParams['kind'], promptTokens: number, outcome: GenerateStatistics | Error): void {
    this.running -= 1;
    if (outcome instanceof Error) this.setState({ ...this.base, state: 'error', message: outcome.message });
    else {
      if (this.base.state === 'error') this.base = withoutMessage({ ...this.base, state: 'ready' });
      this.rate.add(outcome);
      this.last = this.figures(kind, promptTokens, outcome);
      this.stats.push(this.last);
      this.sendStatus();
    }
  }

  /** A completion was given to the editor. */
  countOffered(): void {
    this.offered += 1;
    this.sendCounts();
  }

  /** The person accepted a completion. */
  countAccepted(): void {
    this.accepted += 1;
    this.sendCounts();
  }

  [Symbol.dispose](): void {
    this.status[Symbol.dispose]();
    this.stats[Symbol.dispose]();
  }

  private figures(kind: StatsParams['kind'], promptTokens: number, outcome: GenerateStatistics): StatsParams {
    return {
      kind,
      promptTokens,
      reusedTokens: outcome.reused,
      generatedTokens: outcome.generated,
      timeToFirstToken: outcome.timeToFirstToken,
      prefillRate: outcome.timeToFirstToken > 0 ? (outcome.prefilled * 1000) / outcome.timeToFirstToken : 0,
      decodeRate: outcome.decodeRate,
      recentRate: this.rate.value,
      offered: this.offered,
      accepted: this.accepted,
    };
  }

  private forgetRate(): void {
    this.rate = new RecentRate();
    if (!this.last || this.last.recentRate === 0) return; // told with every part that is loaded
    this.last = { ...this.last, recentRate: 0 };
    this.stats.push(this.last);
  }

  private sendCounts(): void {
    if (!this.last) return;
    this.last = { ...this.last, offered: this.offered, accepted: this.accepted };
    this.stats.push(this.last);
  }

  private sendStatus(): void {
    const generating = this.running > 0 && this.base.state === 'ready';
    const warnings = [...this.problems, ...(this.base.warnings ?? [])];
    this.status.push({
      ...this.base,
      ...(generating ? { state: 'generating' } : {}),
      ...(warnings.length > 0 ? { warnings } : {}),
    });
  }
}

function withoutMessage(status: StatusParams): StatusParams {
  const others = { ...status };
  delete others.message;
  return others;
}
