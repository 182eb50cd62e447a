#include "cli/interruption.h"

#include <csignal>
#include <thread>

#include "convert/temporaries.h"

namespace h5bridge::cli {
namespace {

// A handler may do next to nothing; a thread that waits for signals may do anything.
[[noreturn]] void wait_for(sigset_t signals) {
  int signal = 0;
  while (::sigwait(&signals, &signal) != 0) {
  }
  const auto undisturbed = keep_temporaries();  // nothing is replaced any more
  remove_temporaries();
  std::signal(signal, SIG_DFL);
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  ::raise(signal);
  std::abort();
}

// What whoever started the program has it ignore (nohup) stays so.
bool is_ignored(int signal) {
  struct sigaction action{};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void clean_up_when_interrupted() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    if (!is_ignored(signal)) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads inherit it
  std::thread(wait_for, signals).detach();
}

}  // namespace h5bridge::cli
