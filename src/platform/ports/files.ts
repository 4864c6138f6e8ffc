/** Files and folders, wherever they are. */

/** What a path leads to; `other` are pipes, devices and the like, which nobody reads. */
export type FileKind = 'file' | 'folder' | 'other';

/**
 * Files and folders, named by paths that only the port itself takes apart. What does not exist or may not be read is a
 * `FileError`; a place that cannot be written to, and never could, is a `PlaceError`. Every message names its path.
 */
export interface Files {
  /** A path below a folder, with `.` and `..` resolved where that needs no look at the disk. */
  join(folder: string, ...names: string[]): string;
  /** The folder of a path, and the last name in it. */
  split(path: string): { folder: string; name: string };
  /** What is at a path, links followed; undefined where nothing is, or nothing that can be seen. */
  kind(path: string): Promise<FileKind | undefined>;
  /** The absolute path of what is at a path, links followed; undefined where nothing is. */
  realPath(path: string): Promise<string | undefined>;
  /** The names in a folder, sorted. */
  list(folder: string): Promise<string[]>;
  /** Opens a file for reading anywhere in it; refuses everything but files. */
  open(path: string): Promise<OpenFile>;
  /** Writes a file, complete and safe from a crash, under a hidden name beside `path`; its folder must exist. */
  stage(path: string, content: FileContent): Promise<StagedFile>;
  /** Opens a file at its end, or makes it. */
  append(path: string): Promise<AppendFile>;
  /** Cuts a file after some bytes. */
  truncate(path: string, bytes: number): Promise<void>;
  /** Makes a folder and those above it, where they are missing. */
  makeFolder(path: string): Promise<void>;
  /**
   * Replaces a folder, or makes it, all or nothing, whenever the process ends.
   *
   * @param fill writes the new content into the empty folder that it is given.
   */
  replaceFolder(path: string, fill: (folder: string) => Promise<void>): Promise<void>;
  /** Clears what killed writers left in a folder, and puts back what they had moved aside. Nobody may be writing there. */
  recover(folder: string): Promise<void>;
  /** Deletes a file, or a folder with all that is in it; what does not exist is deleted already. */
  remove(path: string): Promise<void>;
  /** SHA-256 of a file of any size, as hexadecimal. */
  digest(path: string): Promise<string>;
  /** Makes a file that says who works in its folder, where none is or its maker is dead; else a `FileError` names the holder. */
  lock(path: string): Promise<FileLock>;
}

/** An open file, read in pieces. */
export interface OpenFile {
  /** Size when it was opened. */
  readonly byteLength: number;
  /** Fills `target` from a byte position and returns how many bytes it got: fewer only where the file ends. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Ends reading. */
  close(): Promise<void>;
}

/** The content of a file, or a function that writes it piece by piece. */
export type FileContent = string | Uint8Array | ((file: FileWriter) => Promise<void>);

/** Takes the pieces of a file. */
export interface FileWriter {
  /** The bytes may change once this has resolved. */
  write(bytes: Uint8Array): Promise<void>;
}

/** A file that is complete under a hidden name. */
export interface StagedFile {
  /** Gives the file its name, replacing what had it. */
  commit(): Promise<void>;
  /** Deletes it; harmless after a commit. */
  discard(): Promise<void>;
}

/** A lock that is held until it is released, or its process ends. */
export interface FileLock {
  /** Gives it up. */
  release(): Promise<void>;
}

/** A file that is only appended to. */
export interface AppendFile {
  /** Appends text or bytes. */
  append(data: string | Uint8Array): Promise<void>;
  /** Waits until all of it is safe from a crash. */
  sync(): Promise<void>;
  /** Ends writing. */
  close(): Promise<void>;
}
