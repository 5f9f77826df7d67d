//! What would be decided, if another policy were in force. Nothing happens.

use std::sync::Arc;

use crate::kernel::{
    AgentIndex, Failure, Timestamp,
    outcome::SimulationView,
    policy::check,
    request::{SIMULATED_DRAFT_BYTES_MAX, SIMULATED_PAYMENTS_MAX, Simulation},
    state::State,
};

const DRAFT_EXPECTED: &str = "at most 32 KiB of text; put a longer policy in shadow to see what it would do";

impl State {
    /// The answers that payments of an agent would get under a draft.
    pub(crate) fn simulate(
        &self,
        now: Timestamp,
        index: AgentIndex,
        simulation: &Simulation<'_>,
    ) -> Result<SimulationView, Failure> {
        let agent = self.agent(index)?;
        if simulation.payments.len() > SIMULATED_PAYMENTS_MAX {
            return Err(Failure::Invalid { field: "requests", expected: "at most 1000 requests" });
        }
        let (program, applies) = match &simulation.draft {
            Some(draft) => {
                if draft.text_bytes() > SIMULATED_DRAFT_BYTES_MAX {
                    return Err(Failure::Invalid { field: "policy", expected: DRAFT_EXPECTED });
                }
                check(draft)?;
                let (program, applies) = self.catalogue.program_with(agent.id, draft);
                (Arc::new(program), applies)
            }
            None => (Arc::clone(self.program(agent)), true),
        };
        let mut events = Vec::new();
        let answers = simulation.payments.iter().map(|payment| {
            events.clear();
            self.authorize_under(&program, now, index, payment, None, &mut events)
        });
        Ok(SimulationView { applies, answers: answers.collect() })
    }
}
