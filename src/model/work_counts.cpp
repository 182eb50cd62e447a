#include "model/work_counts.h"

namespace h5bridge {

Work& work() {
  static thread_local Work of_this_thread;
  return of_this_thread;
}

}  // namespace h5bridge
