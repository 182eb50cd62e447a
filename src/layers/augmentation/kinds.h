// Keras's layers that change pictures at random in training, and give them on as they are otherwise.
#pragma once

#include <vector>

#include "h5bridge/json.h"

namespace h5bridge::augmentation {

struct Kind {
  const char* class_name;
  const char* change;     // "flips pictures"
  bool casts;             // integers become floats
  Json::Object settings;  // of the change, with the values that say nothing of it
  Json::Object sample;    // others
};

/// Source: keras/src/layers/preprocessing/image_preprocessing/.
std::vector<Kind> kinds();

}  // namespace h5bridge::augmentation
