//! Steps of the optimizers' rules, for the tests of their bits.

use crate::{AdaStep, AdamStep, FreeStep, LionStep, MomentStep, RmsStep, SgdStep};

pub const RMS: RmsStep = RmsStep { rate: 1e-2, alpha: 0.9, epsilon: 1e-6, momentum: 0.8, decay: 0.01 };
pub const ADA: AdaStep = AdaStep { rate: 1e-2, rho: 0.9, epsilon: 1e-6, decay: 0.01 };
pub const MOMENT: MomentStep = MomentStep {
    fresh: 1e-3,
    carried: 1e-2,
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-6,
    correction: 1.2,
    decay: 0.01,
    shrink: 0.99,
};
pub const LION: LionStep = LionStep { rate: 1e-2, beta1: 0.9, beta2: 0.99, shrink: 0.99 };
pub const FREE: FreeStep =
    FreeStep { rate: 1e-2, beta1: 0.9, beta2: 0.99, epsilon: 1e-6, correction: 1.2, decay: 0.01, share: 0.1 };
pub const ADAM: AdamStep = AdamStep {
    rate: 1e-2,
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-6,
    correction: 1.2,
    decay: 0.01,
    shrink: 0.99,
    settle: true,
};
pub const SGD: SgdStep = SgdStep { rate: 0.1, decay: 0.01, momentum: 0.9, nesterov: true };
