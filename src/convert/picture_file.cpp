#include "convert/picture_file.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <span>

#include "convert/replacement.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "picture/dot.h"

extern char** environ;

namespace h5bridge {
namespace {

constexpr const char* kProgram = "dot";

struct PictureFormat {
  std::string_view suffix;
  const char* graphviz;  // its name for the format; null: its own language, which needs no drawing
};

constexpr std::array<PictureFormat, 5> kFormats{
    {{".svg", "svg"}, {".png", "png:cairo"}, {".pdf", "pdf:cairo"}, {".dot", nullptr}, {".gv", nullptr}}};

const PictureFormat* format_of_suffix(const std::string& path) {
  const auto found = std::ranges::find_if(kFormats, [&](const auto& format) { return path.ends_with(format.suffix); });
  return found == kFormats.end() ? nullptr : &*found;
}

const PictureFormat& picture_format(const std::string& path) {
  if (const PictureFormat* found = format_of_suffix(path)) return *found;
  if (path.ends_with(".html"))
    throw UsageError(path + ": a page that shows a model is written by h5bridge convert: convert SOURCE... -o " + path);
  std::string known;
  for (const PictureFormat& format : kFormats) known.append(known.empty() ? "" : ", ").append(format.suffix);
  throw UsageError(path + ": its suffix tells no format of pictures; there are " + known);
}

// A file in memory, which is gone with its last descriptor.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content = {}) : descriptor_(::memfd_create("h5bridge", MFD_CLOEXEC)) {
    if (descriptor_ < 0) throw SystemFailure(std::strerror(errno));
    while (!content.empty()) {
      const ssize_t written = ::write(descriptor_, content.data(), content.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw SystemFailure(std::strerror(errno));
      content.remove_prefix(static_cast<std::size_t>(written));
    }
    ::lseek(descriptor_, 0, SEEK_SET);
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  int descriptor() const { return descriptor_; }

  std::string read() const {
    std::string text(static_cast<std::size_t>(::lseek(descriptor_, 0, SEEK_END)), '\0');
    const ssize_t got = ::pread(descriptor_, text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return text;
  }

 private:
  int descriptor_;
};

// What the program is to find open as its standard files.
class StandardFiles {
 public:
  StandardFiles() { ::posix_spawn_file_actions_init(&actions_); }
  ~StandardFiles() { ::posix_spawn_file_actions_destroy(&actions_); }
  StandardFiles(const StandardFiles&) = delete;
  StandardFiles& operator=(const StandardFiles&) = delete;
  void set(int standard, int descriptor) { ::posix_spawn_file_actions_adddup2(&actions_, descriptor, standard); }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

// Ctrl-C ends it, whatever our threads wait for.
class UnblockedSignals {
 public:
  UnblockedSignals() {
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK);
  }
  ~UnblockedSignals() { ::posix_spawnattr_destroy(&attributes_); }
  UnblockedSignals(const UnblockedSignals&) = delete;
  UnblockedSignals& operator=(const UnblockedSignals&) = delete;
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) lines.push_back(shortened(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return lines;
}

int waited_for(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0)
    if (errno != EINTR) throw SystemFailure(std::strerror(errno));
  return status;
}

// Draws `text` into the file at `path`. No shell is between: arguments and text reach the program as they are.
std::vector<std::string> draw(const std::string& text, const std::string& graphviz, const std::string& path) {
  const MemoryFile input(text), messages;
  StandardFiles files;
  files.set(STDIN_FILENO, input.descriptor());
  files.set(STDOUT_FILENO, messages.descriptor());
  files.set(STDERR_FILENO, messages.descriptor());
  std::array<std::string, 4> arguments{kProgram, "-T" + graphviz, "-o", path};
  std::array<char*, 5> pointers{};
  std::ranges::transform(arguments, pointers.begin(), [](std::string& argument) { return argument.data(); });
  pid_t process = 0;
  const UnblockedSignals signals;
  const int failed =
      ::posix_spawnp(&process, kProgram, files.actions(), signals.attributes(), pointers.data(), environ);
  if (failed == ENOENT)
    throw SystemFailure(
        "pictures are drawn by Graphviz's program dot, which is not installed (apt-get install graphviz); a .dot file "
        "can be written without it");
  if (failed != 0) throw SystemFailure(std::string("dot cannot be started: ") + std::strerror(failed));
  const int status = waited_for(process);
  std::vector<std::string> said = lines_of(messages.read());
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw SystemFailure("Graphviz's program dot failed" + (said.empty() ? "" : ": " + joined(said, "; ")));
  return said;
}

void write_text(const std::string& text, const std::string& path) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out) throw SystemFailure(std::string("writing failed: ") + std::strerror(errno));
}

}  // namespace

void check_picture_path(const std::string& path) { picture_format(path); }

bool is_picture_path(const std::string& path) { return format_of_suffix(path) != nullptr; }

std::vector<std::string> write_picture(const Picture& picture, const std::string& path) {
  const PictureFormat& format = picture_format(path);
  Replacement replacement;
  const std::string temporary = replacement.temporary_for(path);
  std::vector<std::string> said;
  in_file(path, [&] {
    if (format.graphviz)
      said = draw(to_dot(picture), format.graphviz, temporary);
    else
      write_text(to_dot(picture), temporary);
  });
  replacement.commit();
  return said;
}

}  // namespace h5bridge
