/** A place in the caller's own files; the first line and the first column are 1. */
export interface Place {
  url: string;
  line: number;
  column: number;
}
