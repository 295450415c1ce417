// The three descriptors that every program expects to be open.

import Glibc

/// Standard input, output and error of this process.
public enum StandardDescriptors {
  /// Opens /dev/null for those of 0, 1 and 2 that whoever started the program has closed (`bridged 2>&-`). What is opened
  /// first would get their numbers: the pipes of the event loop would be written to by the log, and handed to Codex.
  ///
  /// To be called before anything is opened.
  public static func openMissing() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
    where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
      // The system gives the lowest number that is free, and those below are open by now.
      _ = open("/dev/null", O_RDWR)
    }
  }
}
