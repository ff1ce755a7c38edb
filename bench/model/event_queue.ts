/** Events in order of time; among equal times, in order of arrival. A binary heap. */
export class EventQueue<Event> {
  private readonly heap: { time: number; order: number; event: Event }[] = [];
  private count = 0;

  push(time: number, event: Event): void {
    const added = { time, order: this.count++, event };
    let at = this.heap.length;
    this.heap.push(added);
    while (at > 0) {
      const parent = this.heap[(at - 1) >> 1];
      if (parent === undefined || !comesBefore(added, parent)) break;
      this.heap[at] = parent;
      at = (at - 1) >> 1;
    }
    this.heap[at] = added;
  }

  /** The earliest event; undefined when there is none. */
  pop(): { time: number; event: Event } | undefined {
    const first = this.heap[0];
    const last = this.heap.pop();
    if (first === undefined || last === undefined || this.heap.length === 0) return first;
    let at = 0;
    for (;;) {
      const left = this.heap[2 * at + 1];
      const right = this.heap[2 * at + 2];
      const child = right !== undefined && left !== undefined && comesBefore(right, left) ? 2 * at + 2 : 2 * at + 1;
      const earliest = child === 2 * at + 2 ? right : left;
      if (earliest === undefined || !comesBefore(earliest, last)) break;
      this.heap[at] = earliest;
      at = child;
    }
    this.heap[at] = last;
    return first;
  }
}

function comesBefore(one: { time: number; order: number }, other: { time: number; order: number }): boolean {
  return one.time < other.time || (one.time === other.time && one.order < other.order);
}
