/** How far something is, for people. */
export type Progress = { note: string; done?: number; total?: number; unit?: 'bytes' | 'steps' }
