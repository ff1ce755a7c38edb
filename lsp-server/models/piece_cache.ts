/**
 * Remembers what recent keys gave. Two generations: when the young one is full the old one is dropped, so that a key
 * stays for at least `capacity` others and a look-up costs no bookkeeping.
 */
export class PieceCache<Value> {
  private young = new Map<string, Value>();
  private old = new Map<string, Value>();

  constructor(private readonly capacity: number) {}

  get(key: string, make: (key: string) => Value): Value {
    const known = this.young.get(key);
    if (known !== undefined) return known;
    const value = this.old.get(key) ?? make(key);
    if (this.young.size >= this.capacity) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(key, value);
    return value;
  }
}
