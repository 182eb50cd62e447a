// Ctrl-C leaves nothing behind.
#pragma once

namespace h5bridge::cli {

/// From now on a signal that ends the program (SIGINT, SIGTERM, SIGHUP) first removes what was being written. Call it
/// before any thread is started.
void clean_up_when_interrupted();

}  // namespace h5bridge::cli
