// The three descriptors that every program expects to be open.

import Glibc

/// Standard input, output and error of this process.
package enum StandardDescriptors {
  /// Opens /dev/null for those of the descriptors 0, 1 and 2 that are closed (`bridged 2>&-`). Otherwise the first files that
  /// are opened would get these numbers: the log would then write into pipes of the event loop, and Codex would inherit them.
  ///
  /// Must be called before anything else is opened.
  package static func openMissing() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
    where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
      // The system gives the lowest free number. That is this descriptor, because the lower ones are open.
      _ = open("/dev/null", O_RDWR)
    }
  }
}
