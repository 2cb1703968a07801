//! The saved state of the crate's own rules: their fields, by name.

use super::{check_positive, check_share};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::state::State;

/// A field of a rule that is saved in the rule's state.
pub(super) trait Field: Sized {
    /// Adds the field to a state.
    fn put<F: Scalar>(&self, state: State<F>, name: &str) -> State<F>;
    /// Takes the field out of a state.
    fn take<F: Scalar>(state: &mut State<F>, name: &str) -> Result<Self>;
}

impl Field for f64 {
    fn put<F: Scalar>(&self, state: State<F>, name: &str) -> State<F> {
        state.number(name, *self)
    }

    fn take<F: Scalar>(state: &mut State<F>, name: &str) -> Result<Self> {
        state.take_number(name)
    }
}

impl Field for bool {
    fn put<F: Scalar>(&self, state: State<F>, name: &str) -> State<F> {
        state.flag(name, *self)
    }

    fn take<F: Scalar>(state: &mut State<F>, name: &str) -> Result<Self> {
        state.take_flag(name)
    }
}

impl Field for usize {
    fn put<F: Scalar>(&self, state: State<F>, name: &str) -> State<F> {
        state.integer(name, *self as u64)
    }

    fn take<F: Scalar>(state: &mut State<F>, name: &str) -> Result<Self> {
        state.take_integer(name)
    }
}

/// Implements [`Field`] for a struct inside a rule: a nested state in the rule's state.
macro_rules! nested_field {
    ($part:ident: $($field:ident),+) => {
        impl $crate::optim::fields::Field for $part {
            fn put<F: $crate::kernels::Scalar>(
                &self,
                state: $crate::state::State<F>,
                name: &str,
            ) -> $crate::state::State<F> {
                let own = $crate::state::State::new();
                $(let own = self.$field.put(own, stringify!($field));)+
                state.nested(name, own)
            }

            fn take<F: $crate::kernels::Scalar>(
                state: &mut $crate::state::State<F>,
                name: &str,
            ) -> $crate::error::Result<Self> {
                let own = &mut state.take_nested(name)?;
                $(let $field = $crate::optim::fields::Field::take(own, stringify!($field))?;)+
                own.finish()?;
                Ok(Self { $($field),+ })
            }
        }
    };
}
pub(super) use nested_field;

/// Implements the methods of [`UpdateRule`](super::UpdateRule) that save and load these fields. Nothing is changed
/// unless all of them load.
macro_rules! saved {
    ($kind:literal: $($field:ident),+) => {
        fn kind(&self) -> $crate::state::Kind {
            $crate::state::Kind::builtin($kind)
        }

        fn state(&self) -> $crate::state::State<F> {
            let state = $crate::state::State::new();
            $(let state = $crate::optim::fields::Field::put(&self.$field, state, stringify!($field));)+
            state
        }

        fn load_state(&mut self, state: &mut $crate::state::State<F>) -> $crate::error::Result<()> {
            $(let $field = $crate::optim::fields::Field::take(state, stringify!($field))?;)+
            $(self.$field = $field;)+
            Ok(())
        }
    };
}
pub(super) use saved;

/// The decay of a rule's two moments, and the value added to its denominator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moments {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
}

nested_field!(Moments: beta1, beta2, epsilon);

impl Moments {
    /// The values of Adam's paper, which its variants use too.
    pub const USUAL: Self = Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

    /// Checks that the values are in range.
    pub fn check(self) -> Result<()> {
        check_share("beta1", self.beta1)?;
        check_share("beta2", self.beta2)?;
        check_positive("epsilon", self.epsilon)
    }
}
