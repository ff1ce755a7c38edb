/** What the suite leaves behind for the driver. */
export interface Results {
  /** The last test has ended; anything else is a crash. */
  finished: boolean;
  /** The test under way. */
  current: string | undefined;
  passed: { title: string; milliseconds: number }[];
  failed: { title: string; error: string }[];
}
