// The numbers of a model, read while the library that runs it is loaded, which takes about as long.
#pragma once

#include <atomic>
#include <thread>

#include "h5bridge/model.h"

namespace h5bridge {

class WeightsAhead {
 public:
  /// Begins to read the weights of `model`, which has to outlive this, in a thread of their own.
  explicit WeightsAhead(const Model& model);
  ~WeightsAhead();
  WeightsAhead(const WeightsAhead&) = delete;
  WeightsAhead& operator=(const WeightsAhead&) = delete;

  /// The model with its weights in memory that its reader may take (HandedBytes), once all are there. What could not be
  /// read stays where it was, and whoever reads it gets the error.
  Model model();

 private:
  void read_all();

  const Model& source_;
  Weights read_;
  std::atomic<bool> is_unwanted_ = false;
  std::thread thread_;
};

}  // namespace h5bridge
